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

    /** The check of a row: of its fields, in their order. */
    static long row(long... fields) {
        long check = GOLDEN;
        for (long field : fields) {
            check = mix(check ^ field);
        }
        return check;
    }

    /** The check of a text as a field. All texts here are ASCII. */
    static long text(String text) {
        long hash = 0xCBF29CE484222325L;
        for (int i = 0; i < text.length(); i++) {
            hash = (hash ^ text.charAt(i)) * 0x00000100000001B3L;
        }
        return hash;
    }
}
