"""The data types of Prompt Verdict, and the ports through which the engine sees the world."""
