"""One file a verb. Modules here are imported only when their verb is called."""
