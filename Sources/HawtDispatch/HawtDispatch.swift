// HawtDispatch
