/// The rules of this family, in order.
let mergingRules: [Rule] = []
