"""What happens: one public function is one thing that happens in one transaction: load, decide, save, journal."""
