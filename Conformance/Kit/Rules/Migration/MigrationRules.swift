/// The rules of this family, in order.
let migrationRules: [Rule] = []
