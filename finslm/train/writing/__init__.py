"""Fine-tuning of adapters that write: rows of a text and its answer, LoRA through peft and TRL."""
