/// The rules of backends, in order.
let backendRules: [Rule] = [.b1, .b2, .b3, .b4, .b5, .b6, .b7, .b8]
