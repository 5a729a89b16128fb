/// The rules of suspension, lifetime and shutdown, in order.
let lifetimeRules: [Rule] = [.l1, .l2, .l3, .l4, .l5, .l6]
