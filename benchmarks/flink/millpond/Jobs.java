package millpond;

import java.time.Instant;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.flink.api.common.JobExecutionResult;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.connector.datagen.source.GeneratorFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** What the jobs share: the environment, the source and the outcome. */
final class Jobs {
    private Jobs() {}

    /** A number that no run comes to, for a job without an end. */
    private static final long FOR_EVER = 1L << 52;

    /** An environment as somebody who wants it fast would set it. */
    static StreamExecutionEnvironment environment(Args args) {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.getConfig().enableObjectReuse();
        long interval = args.number("checkpoint-interval", 0);
        if (interval > 0) {
            env.enableCheckpointing(interval);
        }
        env.setBufferTimeout(args.number("buffer-timeout", 100));
        return env;
    }

    static <T> DataStream<T> source(
            StreamExecutionEnvironment env,
            Args args,
            GeneratorFunction<Long, T> make,
            TypeInformation<T> type,
            WatermarkStrategy<T> strategy) {
        long records = args.number("records", FOR_EVER);
        int parallelism = env.getParallelism();
        // A job without an end reads from its beginning only, so that the stretches need not be known.
        GeneratorFunction<Long, T> interleaved = index -> make.map(interleave(index, records, parallelism));
        long rate = args.number("rate", 0);
        DataGeneratorSource<T> source =
                rate > 0
                        ? new DataGeneratorSource<>(interleaved, records, RateLimiterStrategy.perSecond(rate), type)
                        : new DataGeneratorSource<>(interleaved, records, type);
        return env.fromSource(source, strategy, "records").uid("records");
    }

    /**
     * Flink gives each subtask a stretch of the numbers. This makes of the stretches every so-many-th number, so that
     * event time goes at the same pace in all subtasks, as it does where the source is a real one.
     */
    static long interleave(long index, long records, int parallelism) {
        // The first stretches are longer by one where it does not come out even.
        long least = records / parallelism;
        long longer = records % parallelism;
        long border = longer * (least + 1);
        long subtask = index < border ? index / (least + 1) : longer + (index - border) / least;
        long start = subtask <= longer ? subtask * (least + 1) : border + (subtask - longer) * least;
        return (index - start) * parallelism + subtask;
    }

    static long nowMicros() {
        Instant now = Instant.now();
        return now.getEpochSecond() * 1_000_000 + now.getNano() / 1000;
    }

    /** Runs the job and prints what the harness reads. */
    static void run(StreamExecutionEnvironment env, String name, Args args) throws Exception {
        JobExecutionResult result = env.execute(name);
        if (!result.isJobExecutionResult()) {
            return; // It was only submitted.
        }
        Long rows = result.getAccumulatorResult("rows");
        Long check = result.getAccumulatorResult("check");
        Map<Integer, Integer> latencies = result.getAccumulatorResult("latencies");
        String steps =
                latencies.entrySet().stream()
                        .map(step -> "\"" + step.getKey() + "\":" + step.getValue())
                        .collect(Collectors.joining(","));
        System.out.printf(
                "RESULT {\"records\":%d,\"seconds\":%s,\"rows\":%d,\"check\":%s,\"latencies\":{%s}}%n",
                args.number("records", 0),
                result.getNetRuntime() / 1000.0,
                rows,
                Long.toUnsignedString(check),
                steps);
    }
}
