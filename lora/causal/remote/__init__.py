"""Another inference server in our engine's place: vLLM, llama.cpp, anything with OpenAI's API."""
