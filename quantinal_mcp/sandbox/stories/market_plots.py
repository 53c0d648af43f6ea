"""The story of the space "Market Research": a slump, a recovery, and a portfolio above it all."""

from quantinal_mcp.sandbox.stories.narrative import Event, Voice
from quantinal_mcp.sandbox.stories.plot import Plot, Sample, SpacePlot

MARKET = SpacePlot(
    key="market",
    name="Market Research",
    description="Tracking financial markets",
    category="finance",
    days_ago=210,
    updated_days_ago=34,
    plan={
        "capacity_gb": 10,
        "throughput_per_hour": 600,
        "used_gb": 2.4,
        "monthly_cost": 5.5,
        "storage_cost": 2.5,
        "throughput_cost": 3.0,
        "rate_limit_per_hour": 600,
    },
    space_id="spc_f30e60c1-75fd-47f7-967e-29afc19a3ea7",
)

TESLA = Plot(
    key="tesla",
    space="market",
    name="Tesla Sentiment",
    description="Tracks Tesla stock sentiment from news and social media",
    instruction="Analyze Tesla (TSLA) considering recent news, analyst reports, social media sentiment, "
    "and price momentum.",
    score_meaning="Market Sentiment",
    skills=("financial_markets",),
    voice=Voice(
        subject="Tesla sentiment",
        scale=("deeply bearish", "bearish", "mixed", "moderately bullish", "strongly bullish"),
        quiet=(
            "Trading volume was average and analysts left their targets alone",
            "Social media chatter centered on software updates rather than the stock",
            "News flow was light ahead of the next delivery report",
        ),
        events=(
            Event(
                6,
                "Earnings momentum",
                "Recent earnings beat expectations, and Cybertruck delivery numbers are tracking ahead of estimates",
                12,
            ),
            Event(24, "Analyst upgrades", "Two brokers raised their price targets after the margin guidance", 9),
            Event(
                41,
                "Shanghai output",
                "Shanghai output returned to full capacity after the retooling pause",
                7,
            ),
            Event(
                62,
                "Negative analyst revisions",
                "Significant negative sentiment detected: three analysts cut estimates within a week",
                -12,
            ),
            Event(
                74,
                "Braking recall",
                "The braking software recall of 412,000 vehicles dominates the headlines",
                -14,
            ),
            Event(
                96,
                "Energy storage orders",
                "Record Megapack orders lifted the mood beyond the car business",
                8,
            ),
        ),
        background=(("Macro uncertainty", -6), ("EV demand", 5), ("Options positioning", -3)),
    ),
    course=(
        (124, 61),
        (96, 70),
        (76, 66),
        (72, 34),
        (60, 15),
        (52, 19),
        (40, 38),
        (24, 55),
        (6, 66),
        (0.2, 71),
    ),
    runs=120,
    threshold=20,
    failed_runs=frozenset({47, 88}),
    undelivered=frozenset({64}),
    tracker_id="trk_a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d",
    newest_run_id="run_9f8e7d6c-5a4b-4c3d-2e1f-0a9b8c7d6e5f",
    newest_score=72,
    sources=(
        Sample(
            "earnings-data",
            "JSON",
            (
                '{"ticker": "TSLA", "eps": 0.73, "date": "2025-Q4"}',
                '{"ticker": "AAPL", "eps": 1.53, "date": "2025-Q4"}',
                '{"ticker": "MSFT", "eps": 3.23, "date": "2025-Q4"}',
            ),
            30,
            source_id="b4c5d6e7-8f9a-4b0c-1d2e-3f4a5b6c7d8e",
        ),
        Sample(
            "deliveries.csv",
            "CSV",
            tuple(
                f'{{"quarter": "{quarter}", "model_3y": "{cars}", "other": "{other}"}}'
                for quarter, cars, other in (
                    ("2025-Q1", 323800, 12881),
                    ("2025-Q2", 373728, 10394),
                    ("2025-Q3", 481166, 15933),
                    ("2025-Q4", 406585, 11642),
                )
            ),
            12,
            "Deliveries per quarter and model line",
        ),
        Sample(
            "Q4 shareholder deck",
            "PDF",
            ("Automotive gross margin excluding credits rose to 17.9 percent; storage deployments doubled.",),
            0.3,
        ),
    ),
)

CHIPS = Plot(
    key="chips",
    space="market",
    name="Semiconductor Momentum",
    description="Daily read of the semiconductor cycle",
    instruction="Assess the semiconductor cycle from bookings, inventories, lead times and guidance.",
    score_meaning="Sector Momentum",
    skills=("financial_markets", "web"),
    voice=Voice(
        subject="Semiconductor momentum",
        scale=("collapsing", "weak", "sideways", "strong", "overheated"),
        quiet=(
            "Lead times were unchanged across the supply chain",
            "Memory spot prices moved within one percent",
        ),
        events=(
            Event(
                9,
                "Capacity guidance",
                "The largest foundry raised its capital spending guidance by a tenth",
                10,
            ),
            Event(33, "Export rules", "New export rules put four product lines under review", -9),
        ),
    ),
    course=((60, 58), (34, 64), (28, 51), (10, 66), (0.4, 77)),
    runs=60,
    interval_minutes=1440,
    threshold=40,
    tracker_id="trk_e4f5a6b7-1c2d-4e3f-a4b5-c6d7e8f9a0b1",
)

ENERGY = Plot(
    key="energy",
    space="market",
    name="Energy Sector Outlook",
    description="Outlook for oil and gas producers",
    instruction="Weigh inventories, producer discipline, refining margins and demand forecasts.",
    score_meaning="Sector Outlook",
    skills=("financial_markets", "company_filings"),
    voice=Voice(
        subject="The energy outlook",
        scale=("bleak", "deteriorating", "balanced", "constructive", "excellent"),
        quiet=("Refining margins slipped again with the mild weather", "Inventories built for another week"),
        events=(
            Event(20, "Quota dispute", "Two producers announced output above their quotas", -8),
            Event(
                70,
                "Demand forecast",
                "The agency trimmed its demand forecast for the second month running",
                -6,
            ),
        ),
    ),
    course=((110, 71), (70, 60), (20, 44), (1, 33)),
    runs=36,
    noise=2,
    tracker_id="trk_c8d9e0f1-2a3b-4c4d-5e6f-7a8b9c0d1e2f",
)

CRYPTO = Plot(
    key="crypto",
    space="market",
    name="Crypto Risk Appetite",
    description="How much risk crypto markets are taking",
    instruction="Judge funding rates, stablecoin flows, exchange balances and volatility.",
    score_meaning="Risk Appetite",
    skills=("financial_markets", "social_media"),
    voice=Voice(
        subject="Crypto risk appetite",
        scale=("extinguished", "cautious", "undecided", "lively", "euphoric"),
        quiet=(
            "Funding rates flipped sign twice within the day",
            "Stablecoin inflows offset the outflows of last week",
        ),
        events=(
            Event(15, "Liquidations", "Leveraged longs worth 900 million dollars were liquidated overnight", -15),
            Event(44, "Fund inflows", "Spot funds saw their largest weekly inflow of the year", 13),
        ),
    ),
    course=((80, 40), (62, 82), (50, 25), (42, 88), (30, 45), (16, 78), (14, 18), (5, 60), (0.6, 47)),
    runs=48,
    noise=12,
    threshold=25,
    email=False,
    webhook=True,
    undelivered=frozenset({40, 41}),
    tracker_id="trk_b7a6c5d4-3e2f-41a0-b9c8-d7e6f5a4b3c2",
)

EV_SUPPLY = Plot(
    key="ev_supply",
    space="market",
    name="EV Supply Chain",
    description="Battery materials and logistics for electric vehicles",
    instruction="Follow lithium and nickel prices, cell plant openings and shipping delays.",
    score_meaning="Supply Health",
    skills=("web",),
    voice=Voice(
        subject="EV supply health",
        scale=("critical", "strained", "adequate", "healthy", "abundant"),
        quiet=("Lithium carbonate held its range", "No new plant delays were announced"),
    ),
    tracker_id="trk_a0b1c2d3-4e5f-46a7-b8c9-d0e1f2a3b4c5",
)

PORTFOLIO = Plot(
    key="portfolio",
    space="market",
    name="Portfolio Risk Monitor",
    description="Aggregates scores from sector trackers to assess overall portfolio risk",
    instruction="Evaluate overall portfolio risk by synthesizing results from linked sector trackers. "
    "Consider correlations, divergences across sectors, and any conflicting scores.",
    score_meaning="Portfolio Risk Level",
    skills=("financial_markets", "web"),
    reasoning_mode="advanced",
    voice=Voice(
        subject="Portfolio resilience",
        scale=("broken", "thin", "acceptable", "solid", "excellent"),
        quiet=(
            "Semiconductors and energy pull in opposite directions, which keeps the total steady",
            "Correlation between the linked sectors fell for the third week",
        ),
        events=(Event(15, "Crypto drawdown", "The crypto liquidations spilled into growth stocks", -7),),
    ),
    course=((84, 62), (40, 66), (14, 48), (2, 59)),
    runs=12,
    linked=("chips", "energy", "crypto"),
    tracker_id="trk_d2e3f4a5-6b7c-48d9-e0f1-2a3b4c5d6e7f",
)

MARKET_PLOTS = (TESLA, CHIPS, ENERGY, CRYPTO, EV_SUPPLY, PORTFOLIO)
