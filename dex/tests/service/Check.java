import org.flywaydb.core.Flyway;

/** The open-source Flyway: URL, user, folder of migrations, then what to do. One line for each thing done. */
public class Check {
    public static void main(String[] words) {
        Flyway flyway = Flyway.configure()
                .dataSource(words[0], words[1], "")
                .locations("filesystem:" + words[2])
                .load();
        for (int n = 3; n < words.length; n++) {
            switch (words[n]) {
                case "validate" -> System.out.println("valid " + flyway.validateWithResult().validationSuccessful);
                case "migrate" -> System.out.println("migrated " + flyway.migrate().migrationsExecuted);
                case "info" -> {
                    for (var row : flyway.info().all()) {
                        System.out.println(row.getVersion() + " " + row.getState() + " " + row.getChecksum());
                    }
                }
                default -> throw new IllegalArgumentException(words[n]);
            }
        }
    }
}
