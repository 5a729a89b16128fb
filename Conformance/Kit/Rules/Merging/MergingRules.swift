/// The rules of merging sources, in order.
let mergingRules: [Rule] = [.c1, .c2, .c3, .c4]
