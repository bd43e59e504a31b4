"""What the simulated pages say: harmless templates, each with the content category it was written for."""

from __future__ import annotations

TEMPLATES: dict[str, tuple[str, ...]] = {
    "appeals": (
        "APPEAL | Were you near {place} on {day} evening? Did you see a collision at about {hour}pm? Quote {number}.",
        "Can you help us find a missing {age}-year-old last seen near {place} on {day}? They were wearing a {colour} coat.",
        "Do you recognise this {colour} bicycle? It was recovered in {place} and we would like to return it. Ref {number}.",
        "Witnesses sought after criminal damage at {place}. Any doorbell or dash-cam footage from {day} could help. Ref {number}.",
    ),
    "incident_updates": (
        "UPDATE: The cordon at {place} has now been lifted. Thank you for your patience while officers worked at the scene.",
        "We are aware of an incident near {place}. There is no wider risk to the public. Updates will follow here.",
        "Officers remain at {place} after reports of a disturbance. Two people have been arrested and enquiries continue.",
        "The missing {age}-year-old from {place} has been found safe and well. Thank you to everyone who shared our post.",
    ),
    "insights_into_police_work": (
        "Ever wondered what a night shift is like? Follow our {place} response team – {hour} calls before the first cup of tea. ☕",
        "Meet our newest police dog! {age} weeks of training done, many more treats to come. 🐾",
        "Behind the scenes: how our control room near {place} answers around {number} calls on a busy {day}.",
        "Today our officers said goodbye to a colleague who retires after {age} years. Thank you from all of us.",
    ),
    "court_results": (
        "SENTENCED | A man who burgled homes around {place} has been jailed for {hour} years.",
        "A woman has been given a community order after a theft from a shop in {place}, with £{number} in compensation.",
        "Guilty: a jury has convicted three people for supplying drugs in {place}. They will be sentenced on {day}.",
    ),
    "traffic_updates": (
        "⚠️ Road closed: the road through {place} is shut in both directions after a collision. Please find another route.",
        "Long delays near {place} this {day} because of a broken-down lorry. Allow an extra {age} minutes.",
        "The road at {place} has fully reopened. Thank you for waiting.",
    ),
    "crime_prevention": (
        "Lock it or lose it: {age} vans were broken into near {place} last month. Take your tools in overnight.",
        "Scam warning: we will NEVER ask you to move your money. Hang up, wait, and call back on a number you trust.",
        "Going away? A timer switch for £{hour} makes a home look lived in. More advice from our team in {place}.",
    ),
    "online_meetings": (
        "Join our neighbourhood team live on {day} at {hour}pm. Ask us anything about policing in {place}.",
        "Online meeting: tell us your priorities for {place}. {day}, {hour}pm, no need to register.",
    ),
    "conversation": (
        "You asked about patrols in {place}. Here is what we did about it this week – what else matters to you?",
        "What would make you feel safer in {place} after dark? Tell us in the comments; we read all of them.",
        "“Why don't you answer every comment?” A fair question. Here is how our team works.",
    ),
    "job_adverts": (
        "We're hiring! Call handlers for our control room near {place}. Applications close on {day}.",
        "Have you thought of becoming a special constable? Come to our open evening in {place} on {day} at {hour}pm.",
    ),
    "other": (
        "Happy {day}! A misty start over {place} this morning.",
        "Our thoughts are with our colleagues at the memorial in {place} today.\n\nWe remember them.",
    ),
}
PLACES = (
    "the town centre",
    "the ring road",
    "the market square",
    "the railway station",
    "Mill Lane",
    "the High Street",
    "Park Road",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
COLOURS = ("red", "blue", "green", "black", "silver")
WELSH_OPENING = "Dilynwch ni am newyddion o'ch ardal, gŵyl dda i bawb. "


def message(category: str, picks: tuple[int, ...], country: str) -> str:
    """The text of a post. `picks`: seven whole numbers that choose template and words."""
    templates = TEMPLATES.get(category) or TEMPLATES["other"]
    text = templates[picks[0] % len(templates)].format(
        place=PLACES[picks[1] % len(PLACES)],
        day=DAYS[picks[2] % len(DAYS)],
        colour=COLOURS[picks[3] % len(COLOURS)],
        hour=2 + picks[4] % 8,
        age=12 + picks[5] % 60,
        number=100 + picks[6] % 900,
    )
    return WELSH_OPENING + text if country == "Wales" and picks[6] % 5 == 0 else text
