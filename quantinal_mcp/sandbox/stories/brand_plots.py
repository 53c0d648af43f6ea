"""The stories of the spaces "Brand Watch" and "Competitor Radar"."""

from quantinal_mcp.sandbox.stories.narrative import Event, Voice
from quantinal_mcp.sandbox.stories.plot import Plot, Sample, SpacePlot

BRAND = SpacePlot(
    key="brand",
    name="Brand Watch",
    description="What customers say about Aurora Coffee",
    category="marketing",
    days_ago=160,
    updated_days_ago=None,
    plan={
        "capacity_gb": 5,
        "throughput_per_hour": 300,
        "used_gb": 0.8,
        "monthly_cost": 2.75,
        "storage_cost": 1.25,
        "throughput_cost": 1.5,
        "rate_limit_per_hour": 300,
    },
)

RADAR = SpacePlot(
    key="radar",
    name="Competitor Radar",
    description="Launches, prices and hiring of our competitors",
    category="research",
    days_ago=120,
    updated_days_ago=11,
    plan={
        "capacity_gb": 20,
        "throughput_per_hour": 600,
        "used_gb": 1.1,
        "monthly_cost": 8.0,
        "storage_cost": 5.0,
        "throughput_cost": 3.0,
        "rate_limit_per_hour": 600,
    },
)

BUZZ = Plot(
    key="buzz",
    space="brand",
    name="Aurora Coffee Buzz",
    description="Reach and tone of what is said about Aurora Coffee",
    instruction="Measure reach and tone of posts and articles that mention Aurora Coffee.",
    score_meaning="Brand Visibility",
    skills=("social_media", "web"),
    voice=Voice(
        subject="Aurora Coffee's visibility",
        scale=("almost nil", "low", "steady", "high", "exceptional"),
        quiet=(
            "Mentions followed the usual weekday pattern",
            "Local store openings drew modest local coverage",
        ),
        events=(
            Event(18, "Viral video", "A barista's latte-art video reached eleven million views in two days", 22),
            Event(55, "Loyalty relaunch", "The relaunched loyalty card was covered by three trade magazines", 5),
        ),
    ),
    course=((90, 46), (55, 52), (19, 50), (17, 93), (12, 74), (6, 58), (0.8, 55)),
    runs=45,
    threshold=35,
    email=False,
    sources=(
        Sample(
            "brand-guidelines.md",
            "MD",
            (
                "# Voice\nWarm, brief, never ironic. We speak of people before products.",
                "# Claims\nOrganic refers to the beans only. Do not say 'carbon neutral'.",
            ),
            85,
            "How the brand talks",
        ),
        Sample(
            "store-visits.txt",
            "TXT",
            (
                "Oslo: queue out of the door at 8:15, two card readers down.",
                "Bergen: the new oat drink sold out by noon; staff asked for larger deliveries.",
            ),
            9,
        ),
    ),
)

REVIEWS = Plot(
    key="reviews",
    space="brand",
    name="Aurora App Reviews",
    description="How customers rate the ordering app",
    instruction="Rate satisfaction with the ordering app from reviews; weigh the last two weeks double.",
    score_meaning="Customer Satisfaction",
    skills=("reviews",),
    voice=Voice(
        subject="Satisfaction with the ordering app",
        scale=("dismal", "poor", "mixed", "good", "outstanding"),
        quiet=("Reviews mention pickup times most often", "Star ratings held their average"),
        events=(
            Event(13, "Hotfix 5.2.1", "Release 5.2.1 fixed the payment loop, and ratings turned within days", 11),
            Event(
                29,
                "Broken checkout",
                "Release 5.2 charged some customers twice; one-star reviews tripled",
                -18,
            ),
        ),
    ),
    course=((75, 72), (30, 74), (27, 28), (14, 31), (4, 58), (1.2, 64)),
    runs=30,
    threshold=40,
    webhook=True,
    failed_runs=frozenset({18, 19, 20, 27}),
    undelivered=frozenset({21, 22}),
    shares_vault_of="buzz",
)

LAUNCHES = Plot(
    key="launches",
    space="radar",
    name="Northwind Launch Watch",
    description="How close Northwind is to launching its rival product",
    instruction="Estimate how imminent Northwind's launch is from filings, hiring and partner statements.",
    score_meaning="Launch Imminence",
    skills=("web", "company_filings"),
    reasoning_mode="super",
    voice=Voice(
        subject="A launch by Northwind",
        scale=("remote", "unlikely soon", "possible", "likely", "imminent"),
        quiet=("Job postings were stable", "No new trademarks were filed"),
        events=(
            Event(8, "Partner leak", "A logistics partner listed Northwind pallets for next month", 15),
            Event(38, "Trademark", "Northwind registered the trademark 'Halo' in three markets", 10),
        ),
    ),
    course=((70, 22), (38, 35), (8, 58), (3, 79)),
    runs=8,
    noise=2,
    sources=(
        Sample(
            "sightings",
            "JSON",
            (
                '{"where": "Rotterdam", "what": "40 unbranded pallets", "confidence": 0.6}',
                '{"where": "trade register", "what": "Halo Distribution BV", "confidence": 0.9}',
            ),
            7,
            "What our own people saw",
        ),
    ),
)

PRICING = Plot(
    key="pricing",
    space="radar",
    name="Pricing Pressure",
    description="How hard competitors push prices down",
    instruction="Compare list prices, promotions and contract terms of the five largest competitors.",
    score_meaning="Pricing Pressure (10 = none, 0 = severe)",
    skills=("web",),
    voice=Voice(
        subject="Our room on prices",
        scale=("gone", "shrinking", "tolerable", "comfortable", "ample"),
        quiet=("List prices were unchanged at four of five competitors", "Promotions ended on schedule"),
        events=(Event(25, "Bundle discount", "Contoso began to bundle support at no charge", -9),),
    ),
    course=((65, 63), (26, 60), (22, 45), (2, 49)),
    runs=26,
    threshold=30,
)

ENDGAME = Plot(
    key="endgame",
    space="radar",
    name="Halo Endgame Study",
    description="How well we would stand a year after Northwind's launch",
    instruction="Reason through Northwind's likely moves over twelve months and rate how well our position holds.",
    score_meaning="Resilience of our position",
    skills=("web", "company_filings"),
    reasoning_mode="zen",
    voice=Voice(
        subject="Our position a year from now",
        scale=("lost", "shaky", "contested", "firm", "unassailable"),
        quiet=(
            "Every scenario turns on whether retailers grant Northwind a second shelf",
            "Supply contracts buy more time than the price gap costs",
        ),
        events=(Event(9, "Partner leak", "The leaked pallets move the likely launch a quarter ahead", -7),),
    ),
    course=((50, 62), (20, 58), (4, 47)),
    runs=4,
    noise=2,
)

BRAND_PLOTS = (BUZZ, REVIEWS, LAUNCHES, PRICING, ENDGAME)
