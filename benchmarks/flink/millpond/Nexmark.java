package millpond;

import static millpond.Mix.row;
import static millpond.Mix.text;

import java.time.Duration;
import millpond.Site.Auction;
import millpond.Site.Bid;
import millpond.Site.Event;
import millpond.Site.Person;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.api.java.tuple.Tuple5;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.EventTimeSessionWindows;
import org.apache.flink.streaming.api.windowing.assigners.TumblingProcessingTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/** The queries of Nexmark that look at one event, or at one key, at a time. */
public final class Nexmark {
    private Nexmark() {}

    static final Duration TEN_SECONDS = Duration.ofSeconds(10);
    static final Duration TWO_SECONDS = Duration.ofSeconds(2);

    /** Never sent from one task to another: each query takes what it wants of an event in the task that makes it. */
    private static TypeInformation<Event> eventType() {
        return Types.POJO(Event.class);
    }

    private static DataStream<Event> events(StreamExecutionEnvironment env, Args args) {
        WatermarkStrategy<Event> strategy =
                WatermarkStrategy.<Event>forBoundedOutOfOrderness(Duration.ofMillis(1))
                        .withTimestampAssigner((event, before) -> event.time());
        return Jobs.source(env, args, Site::event, eventType(), strategy);
    }

    private static final TypeInformation<Tuple5<Long, Long, Long, Long, String>> BID =
            Types.TUPLE(Types.LONG, Types.LONG, Types.LONG, Types.LONG, Types.STRING);

    private static void bids(DataStream<Event> events, long factor) {
        var rows =
                events.<Tuple5<Long, Long, Long, Long, String>>flatMap(
                                (event, out) -> {
                                    Bid bid = event.bid;
                                    if (bid != null) {
                                        out.collect(
                                                Tuple5.of(
                                                        bid.auction,
                                                        bid.bidder,
                                                        bid.price * factor,
                                                        bid.time,
                                                        bid.extra));
                                    }
                                })
                        .returns(BID);
        Tally.of(rows, (bid, tally) -> tally.take(row(bid.f0, bid.f1, bid.f2, bid.f3, text(bid.f4))));
    }

    private static void selection(DataStream<Event> events) {
        var rows =
                events.<Tuple2<Long, Long>>flatMap(
                                (event, out) -> {
                                    if (event.bid != null && event.bid.auction % 123 == 0) {
                                        out.collect(Tuple2.of(event.bid.auction, event.bid.price));
                                    }
                                })
                        .returns(Types.TUPLE(Types.LONG, Types.LONG));
        Tally.of(rows, (bid, tally) -> tally.take(row(bid.f0, bid.f1)));
    }

    private static void localItems(DataStream<Event> events) {
        TypeInformation<Tuple4<Long, String, String, String>> personType =
                Types.TUPLE(Types.LONG, Types.STRING, Types.STRING, Types.STRING);
        var people =
                events.<Tuple4<Long, String, String, String>>flatMap(
                                (event, out) -> {
                                    Person person = event.person;
                                    if (person != null
                                            && (person.state.equals("OR")
                                                    || person.state.equals("ID")
                                                    || person.state.equals("CA"))) {
                                        out.collect(
                                                Tuple4.of(person.id, person.name, person.city, person.state));
                                    }
                                })
                        .returns(personType);
        var auctions =
                events.<Tuple2<Long, Long>>flatMap(
                                (event, out) -> {
                                    Auction auction = event.auction;
                                    if (auction != null && auction.category == 10) {
                                        out.collect(Tuple2.of(auction.seller, auction.id));
                                    }
                                })
                        .returns(Types.TUPLE(Types.LONG, Types.LONG));
        var rows =
                people.keyBy(person -> person.f0, Types.LONG)
                        .connect(auctions.keyBy(auction -> auction.f0, Types.LONG))
                        .process(new Joins.WithSeller(personType))
                        .returns(Types.TUPLE(Types.STRING, Types.STRING, Types.STRING, Types.LONG))
                        .uid("items");
        Tally.of(rows, (item, tally) -> tally.take(row(text(item.f0), text(item.f1), text(item.f2), item.f3)));
    }

    private static void averagePrice(DataStream<Event> events) {
        var auctions =
                events.<Tuple4<Long, Long, Long, Long>>flatMap(
                                (event, out) -> {
                                    Auction auction = event.auction;
                                    if (auction != null) {
                                        out.collect(
                                                Tuple4.of(
                                                        auction.id, auction.category, auction.time, auction.expires));
                                    }
                                })
                        .returns(Types.TUPLE(Types.LONG, Types.LONG, Types.LONG, Types.LONG));
        var bids =
                events.<Tuple3<Long, Long, Long>>flatMap(
                                (event, out) -> {
                                    Bid bid = event.bid;
                                    if (bid != null) {
                                        out.collect(Tuple3.of(bid.auction, bid.time, bid.price));
                                    }
                                })
                        .returns(Types.TUPLE(Types.LONG, Types.LONG, Types.LONG));
        var averages =
                auctions.keyBy(auction -> auction.f0, Types.LONG)
                        .connect(bids.keyBy(bid -> bid.f0, Types.LONG))
                        .process(new Joins.Ending())
                        .returns(Types.TUPLE(Types.LONG, Types.LONG))
                        .uid("endings")
                        .keyBy(ending -> ending.f0, Types.LONG)
                        .process(new Average())
                        .returns(Types.TUPLE(Types.LONG, Types.LONG, Types.LONG))
                        .uid("averages");
        Tally.of(averages, (average, tally) ->
                tally.takeLatest(average.f0, row(average.f0, average.f1, average.f2)));
    }

    /** The average so far of a category. */
    static final class Average
            extends KeyedProcessFunction<Long, Tuple2<Long, Long>, Tuple3<Long, Long, Long>> {
        private transient ValueState<Tuple2<Long, Long>> state;

        @Override
        public void open(OpenContext context) {
            state =
                    getRuntimeContext()
                            .getState(
                                    new ValueStateDescriptor<>("average", Types.TUPLE(Types.LONG, Types.LONG)));
        }

        @Override
        public void processElement(
                Tuple2<Long, Long> ending, Context context, Collector<Tuple3<Long, Long, Long>> out)
                throws Exception {
            Tuple2<Long, Long> before = state.value();
            long count = (before == null ? 0 : before.f0) + 1;
            long total = (before == null ? 0 : before.f1) + ending.f1;
            state.update(Tuple2.of(count, total));
            out.collect(Tuple3.of(ending.f0, count, total / count));
        }
    }

    private static DataStream<Long> bidders(DataStream<Event> events) {
        return events.<Long>flatMap(
                        (event, out) -> {
                            if (event.bid != null) {
                                out.collect(event.bid.bidder);
                            }
                        })
                .returns(Types.LONG);
    }

    private static void userSessions(DataStream<Event> events) {
        var sessions =
                bidders(events)
                        .keyBy(bidder -> bidder, Types.LONG)
                        .window(EventTimeSessionWindows.withGap(TEN_SECONDS))
                        .aggregate(
                                new Count<Long>(),
                                new Bounds(),
                                Types.LONG,
                                Types.LONG,
                                Types.TUPLE(Types.LONG, Types.LONG, Types.LONG, Types.LONG))
                        .uid("sessions");
        Tally.of(sessions, (session, tally) -> {
            long last = session.f3 - TEN_SECONDS.toMillis();
            tally.take(row(session.f0, session.f1, session.f2, last));
        });
    }

    private static void bidsByTheClock(DataStream<Event> events) {
        var counts =
                bidders(events)
                        .keyBy(bidder -> bidder, Types.LONG)
                        .window(TumblingProcessingTimeWindows.of(TEN_SECONDS))
                        .trigger(new Windows.ByTheClockOrAtTheEnd<>())
                        .aggregate(
                                new Count<Long>(),
                                new Bounds(),
                                Types.LONG,
                                Types.LONG,
                                Types.TUPLE(Types.LONG, Types.LONG, Types.LONG, Types.LONG))
                        .uid("counts");
        Tally.of(counts, (count, tally) -> tally.takeFor(count.f1, row(count.f0) * count.f1));
    }

    /** Counts. */
    static final class Count<T> implements AggregateFunction<T, Long, Long> {
        @Override
        public Long createAccumulator() {
            return 0L;
        }

        @Override
        public Long add(T value, Long count) {
            return count + 1;
        }

        @Override
        public Long getResult(Long count) {
            return count;
        }

        @Override
        public Long merge(Long a, Long b) {
            return a + b;
        }
    }

    /** Puts key and window to a count. */
    static final class Bounds
            extends ProcessWindowFunction<Long, Tuple4<Long, Long, Long, Long>, Long, TimeWindow> {
        @Override
        public void process(
                Long key, Context context, Iterable<Long> counts, Collector<Tuple4<Long, Long, Long, Long>> out) {
            TimeWindow window = context.window();
            out.collect(Tuple4.of(key, counts.iterator().next(), window.getStart(), window.getEnd()));
        }
    }

    public static void main(String[] arguments) throws Exception {
        Args args = new Args(arguments);
        StreamExecutionEnvironment env = Jobs.environment(args);
        String query = args.text("query", "q0");
        DataStream<Event> events = events(env, args);
        switch (query) {
            case "q0" -> bids(events, 1);
            case "q1" -> bids(events, 908);
            case "q2" -> selection(events);
            case "q3" -> localItems(events);
            case "q4" -> averagePrice(events);
            case "q5" -> Windows.hotItems(events);
            case "q7" -> Windows.highestBids(events);
            case "q8" -> Windows.newSellers(events);
            case "q11" -> userSessions(events);
            case "q12" -> bidsByTheClock(events);
            default -> throw new IllegalArgumentException("there is no query " + query);
        }
        Jobs.run(env, "nexmark-" + query, args);
    }
}
