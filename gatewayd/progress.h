/* How far an upgrade is, in JSON. */
#ifndef GATEWAYD_PROGRESS_H
#define GATEWAYD_PROGRESS_H

struct json_t;
struct upgrade;

/* How far it is, or how the last one ended; NULL: no memory. */
struct json_t *progress_json(const struct upgrade *u);

#endif
