"""What people say to the bot in a comment: read, allowed or refused, done, answered once."""
