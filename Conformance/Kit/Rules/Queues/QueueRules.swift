/// The rules of this family, in order.
let queueRules: [Rule] = []
