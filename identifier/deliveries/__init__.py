"""Delivery of events to others: signed webhooks, and MQTT with Home Assistant discovery."""
