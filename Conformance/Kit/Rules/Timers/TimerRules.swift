/// The rules of timers, in order.
let timerRules: [Rule] = [.t1, .t2, .t3, .t4, .t5]
