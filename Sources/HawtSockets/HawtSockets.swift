// HawtSockets
