"""People from WeChat mini-programs: how they log in, and the phone number they tell the shop."""
