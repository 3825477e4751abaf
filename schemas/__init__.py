"""The nouns of Prompt Verdict, and the ports through which the verbs see the world."""
