package millpond;

import static millpond.Mix.row;
import static millpond.Mix.text;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import millpond.Site.Bid;
import millpond.Site.Event;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.functions.CoGroupFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.SlidingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.triggers.Trigger;
import org.apache.flink.streaming.api.windowing.triggers.TriggerResult;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/** The queries of Nexmark over windows that go with each other. */
final class Windows {
    private Windows() {}

    /** Those that reach the greatest value, all of them. */
    public static final class Greatest<T> {
        public long value;
        public List<T> holders;

        Greatest<T> offer(long offered, T holder) {
            if (offered > value) {
                value = offered;
                holders = new ArrayList<>();
                holders.add(holder);
            } else if (offered == value && holders != null) {
                holders.add(holder);
            }
            return this;
        }

        Greatest<T> merge(Greatest<T> other) {
            for (T holder : other.holders) {
                offer(other.value, holder);
            }
            return this;
        }
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static <T> TypeInformation<Greatest<T>> greatestType(TypeInformation<T> holder) {
        return (TypeInformation)
                Types.POJO(Greatest.class, Map.of("value", Types.LONG, "holders", Types.LIST(holder)));
    }

    /** Gives the window's end to what was found in it. */
    static final class WithEnd<K, T> extends ProcessWindowFunction<T, Tuple3<K, Long, T>, K, TimeWindow> {
        @Override
        public void process(K key, Context context, Iterable<T> found, Collector<Tuple3<K, Long, T>> out) {
            out.collect(Tuple3.of(key, context.window().getEnd(), found.iterator().next()));
        }
    }

    /** The greatest of what {@code offer} says. */
    static final class GreatestOf<I, T> implements AggregateFunction<I, Greatest<T>, Greatest<T>> {
        interface Offer<I, T> extends java.io.Serializable {
            void to(Greatest<T> greatest, I value);
        }

        private final Offer<I, T> offer;

        GreatestOf(Offer<I, T> offer) {
            this.offer = offer;
        }

        @Override
        public Greatest<T> createAccumulator() {
            Greatest<T> greatest = new Greatest<>();
            greatest.holders = new ArrayList<>();
            return greatest;
        }

        @Override
        public Greatest<T> add(I value, Greatest<T> greatest) {
            offer.to(greatest, value);
            return greatest;
        }

        @Override
        public Greatest<T> getResult(Greatest<T> greatest) {
            return greatest;
        }

        @Override
        public Greatest<T> merge(Greatest<T> a, Greatest<T> b) {
            return a.merge(b);
        }
    }

    static void hotItems(DataStream<Event> events) {
        TypeInformation<Greatest<Long>> greatest = greatestType(Types.LONG);
        var hottest =
                events.<Long>flatMap(
                                (event, out) -> {
                                    if (event.bid != null) {
                                        out.collect(event.bid.auction);
                                    }
                                })
                        .returns(Types.LONG)
                        .keyBy(auction -> auction, Types.LONG)
                        .window(SlidingEventTimeWindows.of(Nexmark.TEN_SECONDS, Nexmark.TWO_SECONDS))
                        .aggregate(
                                new Nexmark.Count<Long>(),
                                new WithEnd<Long, Long>(),
                                Types.LONG,
                                Types.LONG,
                                Types.TUPLE(Types.LONG, Types.LONG, Types.LONG))
                        .uid("counts")
                        .keyBy(counted -> counted.f1, Types.LONG)
                        .window(TumblingEventTimeWindows.of(Nexmark.TWO_SECONDS))
                        .aggregate(
                                new GreatestOf<Tuple3<Long, Long, Long>, Long>(
                                        (best, counted) -> best.offer(counted.f2, counted.f0)),
                                new WithEnd<Long, Greatest<Long>>(),
                                greatest,
                                greatest,
                                Types.TUPLE(Types.LONG, Types.LONG, greatest))
                        .uid("hottest");
        Tally.of(hottest, (found, tally) -> {
            for (Long auction : found.f2.holders) {
                tally.take(row(found.f0, auction, found.f2.value));
            }
        });
    }

    static void highestBids(DataStream<Event> events) {
        // Auction, bidder, time and the rest.
        TypeInformation<Tuple4<Long, Long, Long, String>> bidding =
                Types.TUPLE(Types.LONG, Types.LONG, Types.LONG, Types.STRING);
        TypeInformation<Greatest<Tuple4<Long, Long, Long, String>>> greatest = greatestType(bidding);
        TypeInformation<Tuple3<Long, Long, Greatest<Tuple4<Long, Long, Long, String>>>> result =
                Types.TUPLE(Types.LONG, Types.LONG, greatest);
        var highest =
                events.<Tuple2<Long, Tuple4<Long, Long, Long, String>>>flatMap(
                                (event, out) -> {
                                    Bid bid = event.bid;
                                    if (bid != null) {
                                        out.collect(
                                                Tuple2.of(
                                                        bid.price,
                                                        Tuple4.of(bid.auction, bid.bidder, bid.time, bid.extra)));
                                    }
                                })
                        .returns(Types.TUPLE(Types.LONG, bidding))
                        .keyBy(offer -> offer.f1.f0, Types.LONG)
                        .window(TumblingEventTimeWindows.of(Nexmark.TEN_SECONDS))
                        .aggregate(
                                new GreatestOf<
                                        Tuple2<Long, Tuple4<Long, Long, Long, String>>,
                                        Tuple4<Long, Long, Long, String>>(
                                        (best, offer) -> best.offer(offer.f0, offer.f1)),
                                new WithEnd<Long, Greatest<Tuple4<Long, Long, Long, String>>>(),
                                greatest,
                                greatest,
                                result)
                        .uid("highest-of-auction")
                        .keyBy(ofAuction -> ofAuction.f1, Types.LONG)
                        .window(TumblingEventTimeWindows.of(Nexmark.TEN_SECONDS))
                        .aggregate(
                                new GreatestOf<
                                        Tuple3<Long, Long, Greatest<Tuple4<Long, Long, Long, String>>>,
                                        Tuple4<Long, Long, Long, String>>(
                                        (best, ofAuction) -> best.merge(ofAuction.f2)),
                                new WithEnd<Long, Greatest<Tuple4<Long, Long, Long, String>>>(),
                                greatest,
                                greatest,
                                result)
                        .uid("highest");
        Tally.of(highest, (found, tally) -> {
            for (Tuple4<Long, Long, Long, String> bid : found.f2.holders) {
                tally.take(row(found.f2.value, bid.f0, bid.f1, bid.f2, text(bid.f3)));
            }
        });
    }

    static void newSellers(DataStream<Event> events) {
        var people =
                events.<Tuple2<Long, String>>flatMap(
                                (event, out) -> {
                                    if (event.person != null) {
                                        out.collect(Tuple2.of(event.person.id, event.person.name));
                                    }
                                })
                        .returns(Types.TUPLE(Types.LONG, Types.STRING));
        var sellers =
                events.<Tuple2<Long, Long>>flatMap(
                                (event, out) -> {
                                    if (event.auction != null) {
                                        // A join tells the time of its window by a record of it.
                                        long start = event.auction.time;
                                        out.collect(
                                                Tuple2.of(
                                                        event.auction.seller,
                                                        start - start % Nexmark.TEN_SECONDS.toMillis()));
                                    }
                                })
                        .returns(Types.TUPLE(Types.LONG, Types.LONG));
        TypeInformation<Tuple3<Long, String, Long>> type = Types.TUPLE(Types.LONG, Types.STRING, Types.LONG);
        var rows =
                people.coGroup(sellers)
                        .where(person -> person.f0, Types.LONG)
                        .equalTo(seller -> seller.f0, Types.LONG)
                        .window(TumblingEventTimeWindows.of(Nexmark.TEN_SECONDS))
                        .apply(new Both(), type);
        Tally.of(rows, (found, tally) -> tally.take(row(found.f0, text(found.f1), found.f2)));
    }

    /** Who came and sells. */
    static final class Both
            implements CoGroupFunction<Tuple2<Long, String>, Tuple2<Long, Long>, Tuple3<Long, String, Long>> {
        @Override
        public void coGroup(
                Iterable<Tuple2<Long, String>> people,
                Iterable<Tuple2<Long, Long>> sellers,
                Collector<Tuple3<Long, String, Long>> out) {
            var person = people.iterator();
            var seller = sellers.iterator();
            if (person.hasNext() && seller.hasNext()) {
                Tuple2<Long, String> first = person.next();
                out.collect(Tuple3.of(first.f0, first.f1, seller.next().f1));
            }
        }
    }

    /**
     * Fires at the end of a window by the clock. Flink forgets what the clock has not come to when the input ends; this
     * fires then as well, so that no result is missing.
     */
    static final class ByTheClockOrAtTheEnd<T> extends Trigger<T, TimeWindow> {
        @Override
        public TriggerResult onElement(T element, long timestamp, TimeWindow window, TriggerContext context) {
            context.registerProcessingTimeTimer(window.maxTimestamp());
            context.registerEventTimeTimer(Long.MAX_VALUE);
            return TriggerResult.CONTINUE;
        }

        @Override
        public TriggerResult onProcessingTime(long time, TimeWindow window, TriggerContext context) {
            return TriggerResult.FIRE;
        }

        @Override
        public TriggerResult onEventTime(long time, TimeWindow window, TriggerContext context) {
            return TriggerResult.FIRE;
        }

        @Override
        public void clear(TimeWindow window, TriggerContext context) {
            context.deleteProcessingTimeTimer(window.maxTimestamp());
            context.deleteEventTimeTimer(Long.MAX_VALUE);
        }
    }
}
