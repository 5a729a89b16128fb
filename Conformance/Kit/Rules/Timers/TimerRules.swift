/// The rules of this family, in order.
let timerRules: [Rule] = []
