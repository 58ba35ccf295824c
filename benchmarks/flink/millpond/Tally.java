package millpond;

import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.accumulators.Histogram;
import org.apache.flink.api.common.accumulators.LongCounter;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichFlatMapFunction;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/** Counts what comes out of a job and takes a check over it, as its namesake in Rust does. */
final class Tally<T> extends RichFlatMapFunction<T, Void> {
    /** The width of a step of latency; the Rust side has the same. */
    private static final long STEP_MICROS = 50;

    /** What takes a row in. */
    interface Take<T> extends java.io.Serializable {
        void row(T row, Tally<T> tally) throws Exception;
    }

    private final Take<T> take;
    private transient LongCounter rows;
    private transient LongCounter checks;
    private transient Histogram latencies;
    private transient Map<Long, Long> latest;
    private transient boolean seen;

    Tally(Take<T> take) {
        this.take = take;
    }

    /** Sends a stream where it is counted. */
    static <T> void of(DataStream<T> rows, Take<T> take) {
        rows.flatMap(new Tally<>(take)).returns(Types.VOID).name("tally").uid("tally").sinkTo(new DiscardingSink<>());
    }

    @Override
    public void open(OpenContext context) {
        rows = new LongCounter();
        checks = new LongCounter();
        latencies = new Histogram();
        latest = new HashMap<>();
        getRuntimeContext().addAccumulator("rows", rows);
        getRuntimeContext().addAccumulator("check", checks);
        getRuntimeContext().addAccumulator("latencies", latencies);
    }

    @Override
    public void flatMap(T row, Collector<Void> out) throws Exception {
        if (!seen) {
            seen = true;
            System.out.println("FIRST " + System.currentTimeMillis());
        }
        take.row(row, this);
    }

    /** Takes a row's check in. */
    void take(long check) {
        takeFor(1, check);
    }

    /** Takes in a row that stands for {@code records}. */
    void takeFor(long records, long check) {
        rows.add(records);
        checks.add(check);
    }

    /** Takes in a row of which only the last with its key counts; all of a key come to one subtask. */
    void takeLatest(long key, long check) {
        Long before = latest.put(key, check);
        take(check - (before == null ? 0 : before));
    }

    /** Takes in a row and when its record was made. */
    void takeStamped(long check, long madeMicros) {
        take(check);
        latencies.add((int) (Math.max(0, Jobs.nowMicros() - madeMicros) / STEP_MICROS));
    }
}
