/// The rules of this family, in order.
let lifetimeRules: [Rule] = []
