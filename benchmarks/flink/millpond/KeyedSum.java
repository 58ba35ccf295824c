package millpond;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.OnCheckpointRollingPolicy;
import org.apache.flink.util.Collector;

/** The keyed running sum: for each record, what all records of its key come to so far. */
public final class KeyedSum {
    private KeyedSum() {}

    /** Which keys records have: first each of {@code all} once, then {@code hot} of them. */
    record Keys(long all, long hot) implements java.io.Serializable {
        private static final long STRIDE = 2_654_435_761L;

        long at(long index) {
            long among = index < all ? all : hot;
            return index % among * STRIDE % among;
        }
    }

    static long value(long key) {
        return key % 100 + 1;
    }

    /** A record with a text for a key. */
    public static final class Payment {
        public String account;
        public long amount;
        public int quantity;
    }

    /** What is kept of an account. */
    public static final class Totals {
        public long payments;
        public long amount;
        public long largest;
        public long quantity;
    }

    static String account(long key) {
        byte[] bytes = new byte[16];
        bytes[0] = 'a';
        bytes[1] = 'c';
        bytes[2] = 'c';
        bytes[3] = 't';
        bytes[4] = '-';
        long rest = key;
        for (int i = 15; i > 4; i--) {
            bytes[i] = (byte) ('0' + rest % 10);
            rest /= 10;
        }
        return new String(bytes, java.nio.charset.StandardCharsets.ISO_8859_1);
    }

    static Payment payment(long index, Keys keys) {
        long key = keys.at(index);
        Payment payment = new Payment();
        payment.account = account(key);
        payment.amount = value(key);
        payment.quantity = (int) (key % 7);
        return payment;
    }

    static long check(String account, Totals totals) {
        long last = account.charAt(account.length() - 1);
        return totals.payments * last + totals.amount + 3 * totals.largest + 5 * totals.quantity;
    }

    static final class Sum extends KeyedProcessFunction<Long, Tuple2<Long, Long>, Tuple2<Long, Long>> {
        private transient ValueState<Long> sum;

        @Override
        public void open(OpenContext context) {
            sum = getRuntimeContext().getState(new ValueStateDescriptor<>("sum", Types.LONG));
        }

        @Override
        public void processElement(Tuple2<Long, Long> record, Context context, Collector<Tuple2<Long, Long>> out)
                throws Exception {
            Long before = sum.value();
            long now = (before == null ? 0 : before) + record.f1;
            sum.update(now);
            out.collect(Tuple2.of(record.f0, now));
        }
    }

    static final class Sums extends KeyedProcessFunction<String, Payment, Tuple2<String, Totals>> {
        private transient ValueState<Totals> totals;

        @Override
        public void open(OpenContext context) {
            totals = getRuntimeContext().getState(new ValueStateDescriptor<>("totals", Types.POJO(Totals.class)));
        }

        @Override
        public void processElement(Payment payment, Context context, Collector<Tuple2<String, Totals>> out)
                throws Exception {
            Totals now = totals.value();
            if (now == null) {
                now = new Totals();
            }
            now.payments += 1;
            now.amount += payment.amount;
            now.largest = Math.max(now.largest, payment.amount);
            now.quantity += payment.quantity;
            totals.update(now);
            out.collect(Tuple2.of(payment.account, now));
        }
    }

    static final class Count
            extends KeyedProcessFunction<Long, Tuple2<Long, Long>, Tuple3<Long, Long, Long>> {
        private transient ValueState<Long> count;

        @Override
        public void open(OpenContext context) {
            count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.LONG));
        }

        @Override
        public void processElement(
                Tuple2<Long, Long> record, Context context, Collector<Tuple3<Long, Long, Long>> out) throws Exception {
            Long before = count.value();
            long now = (before == null ? 0 : before) + 1;
            count.update(now);
            out.collect(Tuple3.of(record.f0, now, record.f1));
        }
    }

    private static void texts(StreamExecutionEnvironment env, Args args, Keys keys) {
        TypeInformation<Payment> type = Types.POJO(Payment.class);
        var totals =
                Jobs.source(env, args, index -> payment(index, keys), type, WatermarkStrategy.noWatermarks())
                        .keyBy(payment -> payment.account, Types.STRING)
                        .process(new Sums())
                        .returns(Types.TUPLE(Types.STRING, Types.POJO(Totals.class)))
                        .uid("totals");
        Tally.of(totals, (row, tally) -> tally.take(check(row.f0, row.f1)));
    }

    private static void stamped(StreamExecutionEnvironment env, Args args, Keys keys) {
        TypeInformation<Tuple2<Long, Long>> type = Types.TUPLE(Types.LONG, Types.LONG);
        var counts =
                Jobs.source(
                                env,
                                args,
                                index -> Tuple2.of(keys.at(index), Jobs.nowMicros()),
                                type,
                                WatermarkStrategy.noWatermarks())
                        .keyBy(record -> record.f0, Types.LONG)
                        .process(new Count())
                        .returns(Types.TUPLE(Types.LONG, Types.LONG, Types.LONG))
                        .uid("counts");
        Tally.of(counts, (row, tally) -> tally.takeStamped(row.f0 + row.f1, row.f2));
    }

    private static void numbers(StreamExecutionEnvironment env, Args args, Keys keys) {
        TypeInformation<Tuple2<Long, Long>> type = Types.TUPLE(Types.LONG, Types.LONG);
        var sums =
                Jobs.source(env, args, index -> pair(index, keys), type, WatermarkStrategy.noWatermarks())
                        .keyBy(record -> record.f0, Types.LONG)
                        .process(new Sum())
                        .returns(type)
                        .uid("sum");
        String output = args.text("output", null);
        if (output == null) {
            Tally.of(sums, (row, tally) -> tally.take(row.f0 + row.f1));
        } else {
            sums.filter(row -> row.f0 % 1000 == 0)
                    .sinkTo(
                            FileSink.forRowFormat(
                                            new Path(output), new SimpleStringEncoder<Tuple2<Long, Long>>())
                                    .withRollingPolicy(OnCheckpointRollingPolicy.build())
                                    .build())
                    .uid("files");
        }
    }

    private static Tuple2<Long, Long> pair(long index, Keys keys) {
        long key = keys.at(index);
        return Tuple2.of(key, value(key));
    }

    public static void main(String[] arguments) throws Exception {
        Args args = new Args(arguments);
        StreamExecutionEnvironment env = Jobs.environment(args);
        long all = args.number("keys", 1_000_000);
        Keys keys = new Keys(all, args.number("hot", all));
        switch (args.text("shape", "numbers")) {
            case "texts" -> texts(env, args, keys);
            case "stamped" -> stamped(env, args, keys);
            default -> numbers(env, args, keys);
        }
        Jobs.run(env, "keyed-sum", args);
    }
}
