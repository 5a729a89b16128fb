func unimplemented(_ function: StaticString = #function) -> Never { fatalError("\(function)") }
func errorText(_ code: CInt) -> String { "errno \(code)" }
