/// The rules of this family, in order.
let backendRules: [Rule] = []
