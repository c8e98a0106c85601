-- What the two export examples read: one reading of each of two sensors for every minute of a week.
CREATE TABLE readings (
    sensor text NOT NULL,
    taken timestamptz NOT NULL,
    value double precision NOT NULL,
    PRIMARY KEY (sensor, taken)
);

INSERT INTO readings
SELECT sensor, taken, round((20 + 5 * sin(extract(epoch FROM taken) / 7200))::numeric, 2)
FROM unnest(ARRAY['boiler', 'cellar']) AS sensor,
     generate_series(timestamptz '2026-01-05 00:00+00', timestamptz '2026-01-11 23:59+00', '1 minute') AS taken;
