/// The rules of this family, in order.
let sourceRules: [Rule] = []
