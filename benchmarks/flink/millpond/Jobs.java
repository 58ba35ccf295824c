package millpond;

import org.apache.flink.api.common.JobExecutionResult;
import org.apache.flink.api.common.accumulators.LongCounter;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichFlatMapFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.connector.datagen.source.GeneratorFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/** What the jobs share: the environment, the source, the sink that counts, and the outcome. */
final class Jobs {
    private Jobs() {}

    /** An environment as somebody who wants it fast would set it. */
    static StreamExecutionEnvironment environment(Args args) {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.getConfig().enableObjectReuse();
        long interval = args.number("checkpoint-interval", 0);
        if (interval > 0) {
            env.enableCheckpointing(interval);
        }
        return env;
    }

    /** A number that no run comes to, for a job without an end. */
    private static final long FOR_EVER = 1L << 52;

    static <T> DataStream<T> source(
            StreamExecutionEnvironment env,
            Args args,
            GeneratorFunction<Long, T> make,
            TypeInformation<T> type,
            WatermarkStrategy<T> strategy) {
        long records = args.number("records", FOR_EVER);
        int parallelism = env.getParallelism();
        GeneratorFunction<Long, T> interleaved = index -> make.map(interleave(index, records, parallelism));
        long rate = args.number("rate", 0);
        DataGeneratorSource<T> source =
                rate > 0
                        ? new DataGeneratorSource<>(interleaved, records, RateLimiterStrategy.perSecond(rate), type)
                        : new DataGeneratorSource<>(interleaved, records, type);
        return env.fromSource(source, strategy, "records").uid("records");
    }

    /**
     * Flink gives each subtask a stretch of the numbers, one after the other. This makes of the stretches every so-many-th
     * number, so that event time goes at the same pace in all subtasks, as it does where the source is a real one.
     */
    static long interleave(long index, long records, int parallelism) {
        // As NumberSequenceIterator splits: the first subtasks have one more where it does not come out even.
        long least = records / parallelism;
        long longer = records % parallelism;
        long border = longer * (least + 1);
        long subtask = index < border ? index / (least + 1) : longer + (index - border) / least;
        long start = subtask <= longer ? subtask * (least + 1) : border + (subtask - longer) * least;
        return (index - start) * parallelism + subtask;
    }

    /** Counts rows and takes a check over them. */
    static final class Tally<T> extends RichFlatMapFunction<T, Void> {
        private final Check<T> check;
        private final LongCounter rows = new LongCounter();
        private final LongCounter checks = new LongCounter();

        Tally(Check<T> check) {
            this.check = check;
        }

        @Override
        public void open(OpenContext context) {
            getRuntimeContext().addAccumulator("rows", rows);
            getRuntimeContext().addAccumulator("check", checks);
        }

        @Override
        public void flatMap(T row, Collector<Void> out) throws Exception {
            rows.add(1L);
            checks.add(check.of(row));
        }
    }

    /** Makes a number of a row. */
    interface Check<T> extends java.io.Serializable {
        long of(T row) throws Exception;
    }

    /** Sends a stream where it is counted. */
    static <T> void tally(DataStream<T> rows, Check<T> check) {
        rows.flatMap(new Tally<>(check)).returns(Types.VOID).name("tally").uid("tally").sinkTo(new DiscardingSink<>());
    }

    /** Runs the job and prints what the harness reads. */
    static void run(StreamExecutionEnvironment env, String name, Args args) throws Exception {
        JobExecutionResult result = env.execute(name);
        Long rows = result.getAccumulatorResult("rows");
        Long check = result.getAccumulatorResult("check");
        System.out.printf(
                "RESULT {\"records\":%d,\"seconds\":%s,\"rows\":%d,\"check\":%s}%n",
                args.number("records", 0),
                result.getNetRuntime() / 1000.0,
                rows,
                Long.toUnsignedString(check));
    }
}
