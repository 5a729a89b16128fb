// PollingEpoll
