"""How the whole system is doing, as the viewer hears and sees it."""
