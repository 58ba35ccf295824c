package millpond;

/** Numbers that look random and are the same everywhere. */
final class Mix {
    private Mix() {}

    static final long GOLDEN = 0x9E3779B97F4A7C15L;

    static long mix(long x) {
        x = (x ^ (x >>> 30)) * 0xBF58476D1CE4E5B9L;
        x = (x ^ (x >>> 27)) * 0x94D049BB133111EBL;
        return x ^ (x >>> 31);
    }

    /** The check of a row: of its fields, in their order. A multiplication a field, so that it is little of what is measured. */
    static long row(long... fields) {
        long check = GOLDEN;
        for (long field : fields) {
            check = Long.rotateLeft((check ^ field) * GOLDEN, 32);
        }
        return mix(check);
    }

    /** The check of a text as a field: of its length and its first and last eight characters. All texts here are ASCII. */
    static long text(String text) {
        int length = text.length();
        long last = length < 8 ? 0 : packed(text, length - 8, length);
        return mix((packed(text, 0, Math.min(length, 8)) ^ length) * GOLDEN ^ last);
    }

    private static long packed(String text, int start, int end) {
        long packed = 0;
        for (int i = end - 1; i >= start; i--) {
            packed = packed << 8 | text.charAt(i);
        }
        return packed;
    }
}
