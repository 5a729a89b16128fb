// A user who imports HawtDispatch names interests, backends and their errors without a second import.
@_exported public import Polling
