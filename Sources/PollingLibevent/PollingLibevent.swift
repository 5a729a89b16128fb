// PollingLibevent
