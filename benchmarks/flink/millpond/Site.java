package millpond;

/** The auction site of the Nexmark benchmark: the event with a number, the same as in Rust, where its parameters are told. */
final class Site {
    private Site() {}

    /** Somebody comes. */
    public static final class Person {
        public long id;
        public String name;
        public String email;
        public String creditCard;
        public String city;
        public String state;
        public long time;
        public String extra;
    }

    /** Somebody opens an auction. */
    public static final class Auction {
        public long id;
        public String item;
        public String description;
        public long initialBid;
        public long reserve;
        public long time;
        public long expires;
        public long seller;
        public long category;
        public String extra;
    }

    /** Somebody bids. */
    public static final class Bid {
        public long auction;
        public long bidder;
        public long price;
        public String channel;
        public String url;
        public long time;
        public String extra;
    }

    /** One of the three. */
    public static final class Event {
        public Person person;
        public Auction auction;
        public Bid bid;

        long time() {
            return bid != null ? bid.time : auction != null ? auction.time : person.time;
        }
    }

    private static final long TOTAL = 50;
    private static final long PERSONS = 1;
    private static final long AUCTIONS = 3;
    private static final long FIRST_PERSON = 1000;
    private static final long FIRST_AUCTION = 1000;
    private static final long FIRST_CATEGORY = 10;
    private static final long CATEGORIES = 5;
    private static final long LEAD = 10;
    private static final long ACTIVE_PEOPLE = 1000;
    private static final long AUCTIONS_IN_FLIGHT = 100;
    private static final long HOT_AUCTIONS = 2;
    private static final long HOT_SELLERS = 4;
    private static final long HOT_BIDDERS = 4;
    private static final long HOT_CHANNELS = 2;
    private static final long HOT_FOR = 100;
    private static final long OTHER_CHANNELS = 10_000;
    private static final long BEGINNING = 1_436_918_400_000L;
    private static final long EVENTS_PER_MILLISECOND = 10;

    private static final String[] STATES = {"AZ", "CA", "ID", "OR", "WA", "WY"};
    private static final String[] CITIES = {
        "Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"
    };
    private static final String[] FIRST_NAMES = {
        "Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"
    };
    private static final String[] LAST_NAMES = {
        "Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"
    };
    private static final String[] CHANNELS = {"Google", "Facebook", "Baidu", "Apple"};

    /** Where a bid comes from. The standard generator keeps them as well. */
    private record Channel(String name, String url) {}

    /** Made once, the hot ones first. */
    private static final class Channels {
        static final Channel[] ALL = new Channel[CHANNELS.length + (int) OTHER_CHANNELS];

        static {
            for (int place = 0; place < ALL.length; place++) {
                Random random = new Random(~(long) place);
                String url =
                        "https://www.nexmark.com/" + random.letters(4) + "/" + random.letters(4) + "/"
                                + random.letters(4) + "/item.htm?query=1";
                int other = place - CHANNELS.length;
                if (other < 0) {
                    ALL[place] = new Channel(CHANNELS[place], url);
                } else {
                    String id = random.below(10) > 0 ? "&channel_id=" + Math.abs(Integer.reverse(other)) : "";
                    ALL[place] = new Channel("channel-" + other, url + id);
                }
            }
        }
    }

    private static Channel someChannel(Random random) {
        boolean hot = random.below(HOT_CHANNELS) > 0;
        long first = hot ? 0 : CHANNELS.length;
        long channels = hot ? CHANNELS.length : OTHER_CHANNELS;
        return Channels.ALL[(int) (first + random.below(channels))];
    }

    private static final long[] PRICES = new long[1025];

    static {
        double price = 100.0;
        for (int i = 0; i < PRICES.length; i++) {
            PRICES[i] = (long) price;
            price *= 1.0135831333340657;
        }
    }

    /** The random numbers of an event. */
    private static final class Random {
        private static final long CHANGE = 0xE7037ED1A0B428DBL;
        /** A text starts at one of so many places. */
        private static final int STRETCH = 1 << 16;
        /** Texts are copies of some of these in a row. */
        private static final String LETTERS;

        static {
            Random random = new Random();
            StringBuilder letters = new StringBuilder();
            for (int i = 0; i < 2 * STRETCH; i++) {
                letters.append((char) ('a' + random.below(26)));
            }
            LETTERS = letters.toString();
        }

        private long state;

        /** From the beginning of all. */
        Random() {}

        Random(long event) {
            state = Mix.mix(event + Mix.GOLDEN);
        }

        private long next() {
            state += Mix.GOLDEN;
            long changed = state ^ CHANGE;
            return Math.multiplyHigh(state, changed) ^ state * changed;
        }

        long below(long bound) {
            return ((next() >>> 32) * bound) >>> 32;
        }

        long price() {
            long drawn = next() >>> 38;
            int step = (int) (drawn >>> 16);
            return PRICES[step] + (((PRICES[step + 1] - PRICES[step]) * (drawn & 0xFFFF)) >> 16);
        }

        String letters(long length) {
            int start = (int) below(STRETCH);
            return LETTERS.substring(start, start + (int) length);
        }

        String extra(long size, long average) {
            long missing = average - size;
            if (missing <= 0) {
                return "";
            }
            long spread = (missing + 2) / 5;
            return letters(missing - spread + (spread == 0 ? 0 : below(2 * spread)));
        }

        String oneOf(String[] texts) {
            return texts[(int) below(texts.length)];
        }
    }

    static Event event(long n) {
        Random random = new Random(n);
        Event event = new Event();
        long place = n % TOTAL;
        if (place < PERSONS) {
            event.person = person(n, random);
        } else if (place < PERSONS + AUCTIONS) {
            event.auction = auction(n, random);
        } else {
            event.bid = bid(n, random);
        }
        return event;
    }

    private static long time(long n) {
        return BEGINNING + n / EVENTS_PER_MILLISECOND;
    }

    private static long lastPerson(long n) {
        return n / TOTAL * PERSONS + Math.min(n % TOTAL, PERSONS - 1);
    }

    private static long lastAuction(long n) {
        long within = Math.max(-1, Math.min(n % TOTAL - PERSONS, AUCTIONS - 1));
        return n / TOTAL * AUCTIONS + within;
    }

    private static long somePerson(long n, Random random) {
        long people = lastPerson(n) + 1;
        long active = Math.min(people, ACTIVE_PEOPLE);
        return people - active + random.below(active + LEAD);
    }

    private static Person person(long n, Random random) {
        Person person = new Person();
        person.name = random.oneOf(FIRST_NAMES) + " " + random.oneOf(LAST_NAMES);
        person.email = random.letters(7) + "@" + random.letters(5) + ".com";
        person.creditCard = card(random) + " " + card(random) + " " + card(random) + " " + card(random);
        person.city = random.oneOf(CITIES);
        person.state = random.oneOf(STATES);
        long size =
                8 + person.name.length() + person.email.length() + person.creditCard.length() + person.city.length()
                        + person.state.length();
        person.extra = random.extra(size, 200);
        person.id = FIRST_PERSON + lastPerson(n);
        person.time = time(n);
        return person;
    }

    private static String card(Random random) {
        String digits = Long.toString(random.below(10_000));
        return "0000".substring(digits.length()) + digits;
    }

    private static Auction auction(long n, Random random) {
        Auction auction = new Auction();
        long seller =
                random.below(HOT_SELLERS) == 0 ? somePerson(n, random) : lastPerson(n) / HOT_FOR * HOT_FOR;
        auction.category = FIRST_CATEGORY + random.below(CATEGORIES);
        auction.initialBid = random.price();
        auction.reserve = auction.initialBid + random.price();
        auction.item = random.letters(3 + random.below(17));
        auction.description = random.letters(3 + random.below(97));
        long horizon = time(n + AUCTIONS_IN_FLIGHT * TOTAL / AUCTIONS) - time(n);
        auction.expires = time(n) + 1 + random.below(Math.max(2 * horizon, 1));
        auction.extra = random.extra(8 * 6 + auction.item.length() + auction.description.length(), 500);
        auction.id = FIRST_AUCTION + lastAuction(n);
        auction.time = time(n);
        auction.seller = FIRST_PERSON + seller;
        return auction;
    }

    private static Bid bid(long n, Random random) {
        Bid bid = new Bid();
        // Whether it is a hot one nobody can foresee: to make both costs less than to guess wrong.
        long last = lastAuction(n);
        boolean hotAuction = random.below(HOT_AUCTIONS) > 0;
        long least = Math.max(last - AUCTIONS_IN_FLIGHT, 0);
        long someAuction = least + random.below(last - least + 1 + LEAD);
        long auction = hotAuction ? last / HOT_FOR * HOT_FOR : someAuction;
        boolean hotBidder = random.below(HOT_BIDDERS) > 0;
        long someBidder = somePerson(n, random);
        long bidder = hotBidder ? lastPerson(n) / HOT_FOR * HOT_FOR + 1 : someBidder;
        bid.price = random.price();
        Channel channel = someChannel(random);
        bid.channel = channel.name;
        bid.url = channel.url;
        bid.extra = random.extra(8 * 4, 100);
        bid.auction = FIRST_AUCTION + auction;
        bid.bidder = FIRST_PERSON + bidder;
        bid.time = time(n);
        return bid;
    }
}
