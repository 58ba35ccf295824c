package millpond;

import static millpond.Mix.row;
import static millpond.Mix.text;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import millpond.Site.Bid;

/** Query 0 of Nexmark, a loop on each thread, without Flink: what is left is the making of events, as in its namesake in Rust. */
public final class Bids {
    private Bids() {}

    public static void main(String[] given) throws InterruptedException {
        Args args = new Args(given);
        long records = args.number("records", 0);
        int threads = (int) args.number("parallelism", 1);
        // Java is fast once it has run for a while.
        take(records, threads, new AtomicLong());
        AtomicLong check = new AtomicLong();
        var system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
        long processor = system.getProcessCpuTime();
        long started = System.nanoTime();
        long rows = take(records, threads, check);
        System.out.printf(
                "RESULT {\"records\":%d,\"seconds\":%s,\"rows\":%d,\"check\":%s,\"cpu_seconds\":%s}%n",
                records,
                (System.nanoTime() - started) / 1e9,
                rows,
                Long.toUnsignedString(check.get()),
                (system.getProcessCpuTime() - processor) / 1e9);
    }

    private static long take(long records, int threads, AtomicLong check) throws InterruptedException {
        AtomicLong rows = new AtomicLong();
        List<Thread> running = new ArrayList<>();
        for (int thread = 0; thread < threads; thread++) {
            int first = thread;
            running.add(new Thread(() -> take(first, records, threads, rows, check)));
        }
        running.forEach(Thread::start);
        for (Thread thread : running) {
            thread.join();
        }
        return rows.get();
    }

    private static void take(long first, long records, int step, AtomicLong allRows, AtomicLong allChecks) {
        long rows = 0;
        long checks = 0;
        for (long number = first; number < records; number += step) {
            Bid bid = Site.event(number).bid;
            if (bid != null) {
                rows++;
                checks += row(bid.auction, bid.bidder, bid.price, bid.time, text(bid.extra));
            }
        }
        allRows.addAndGet(rows);
        allChecks.addAndGet(checks);
    }
}
