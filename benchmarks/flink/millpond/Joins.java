package millpond;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.streaming.api.functions.co.KeyedCoProcessFunction;
import org.apache.flink.util.Collector;

/** Functions over two streams with one key. */
final class Joins {
    private Joins() {}

    /** Each auction with its seller, whichever of them comes first. */
    static final class WithSeller
            extends KeyedCoProcessFunction<
                    Long,
                    Tuple4<Long, String, String, String>,
                    Tuple2<Long, Long>,
                    Tuple4<String, String, String, Long>> {
        private final TypeInformation<Tuple4<Long, String, String, String>> personType;
        private transient ValueState<Tuple4<Long, String, String, String>> seller;
        private transient ListState<Long> waiting;

        WithSeller(TypeInformation<Tuple4<Long, String, String, String>> personType) {
            this.personType = personType;
        }

        @Override
        public void open(OpenContext context) {
            seller = getRuntimeContext().getState(new ValueStateDescriptor<>("seller", personType));
            waiting = getRuntimeContext().getListState(new ListStateDescriptor<>("waiting", Types.LONG));
        }

        @Override
        public void processElement1(
                Tuple4<Long, String, String, String> person,
                Context context,
                Collector<Tuple4<String, String, String, Long>> out)
                throws Exception {
            for (Long auction : waiting.get()) {
                out.collect(Tuple4.of(person.f1, person.f2, person.f3, auction));
            }
            waiting.clear();
            seller.update(person);
        }

        @Override
        public void processElement2(
                Tuple2<Long, Long> auction, Context context, Collector<Tuple4<String, String, String, Long>> out)
                throws Exception {
            Tuple4<Long, String, String, String> person = seller.value();
            if (person == null) {
                waiting.add(auction.f1);
            } else {
                out.collect(Tuple4.of(person.f1, person.f2, person.f3, auction.f1));
            }
        }
    }

    /** Finds what an auction ends at. */
    static final class Ending
            extends KeyedCoProcessFunction<
                    Long, Tuple4<Long, Long, Long, Long>, Tuple3<Long, Long, Long>, Tuple2<Long, Long>> {
        /** Category, beginning, end, highest bid (0 for none). */
        private transient ValueState<Tuple4<Long, Long, Long, Long>> open;

        /** Bids that came before their auction: time and price. */
        private transient ListState<Tuple2<Long, Long>> early;

        @Override
        public void open(OpenContext context) {
            open =
                    getRuntimeContext()
                            .getState(
                                    new ValueStateDescriptor<>(
                                            "open", Types.TUPLE(Types.LONG, Types.LONG, Types.LONG, Types.LONG)));
            early =
                    getRuntimeContext()
                            .getListState(
                                    new ListStateDescriptor<>("early", Types.TUPLE(Types.LONG, Types.LONG)));
        }

        /** Whether the bid tops the others. */
        private static boolean bid(Tuple4<Long, Long, Long, Long> auction, long time, long price) {
            boolean tops = time >= auction.f1 && time <= auction.f2 && price > auction.f3;
            if (tops) {
                auction.f3 = price;
            }
            return tops;
        }

        @Override
        public void processElement1(
                Tuple4<Long, Long, Long, Long> opened, Context context, Collector<Tuple2<Long, Long>> out)
                throws Exception {
            Tuple4<Long, Long, Long, Long> auction = Tuple4.of(opened.f1, opened.f2, opened.f3, 0L);
            for (Tuple2<Long, Long> bid : early.get()) {
                bid(auction, bid.f0, bid.f1);
            }
            early.clear();
            open.update(auction);
            context.timerService().registerEventTimeTimer(auction.f2);
        }

        @Override
        public void processElement2(
                Tuple3<Long, Long, Long> bid, Context context, Collector<Tuple2<Long, Long>> out) throws Exception {
            Tuple4<Long, Long, Long, Long> auction = open.value();
            if (auction == null) {
                early.add(Tuple2.of(bid.f1, bid.f2));
                context.timerService().registerEventTimeTimer(bid.f1);
            } else if (bid(auction, bid.f1, bid.f2)) {
                open.update(auction);
            }
        }

        @Override
        public void onTimer(long now, OnTimerContext context, Collector<Tuple2<Long, Long>> out) throws Exception {
            Tuple4<Long, Long, Long, Long> auction = open.value();
            if (auction == null) {
                List<Tuple2<Long, Long>> left = new ArrayList<>();
                for (Tuple2<Long, Long> bid : early.get()) {
                    if (bid.f0 > now) {
                        left.add(bid);
                    }
                }
                early.update(left);
            } else if (auction.f2 <= now) {
                if (auction.f3 > 0) {
                    out.collect(Tuple2.of(auction.f0, auction.f3));
                }
                open.clear();
            }
        }
    }
}
