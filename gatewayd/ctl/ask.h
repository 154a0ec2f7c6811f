/* Asking a gatewayd, by the control socket in its run directory. */
#ifndef GATEWAYD_CTL_ASK_H
#define GATEWAYD_CTL_ASK_H

struct ctl;
struct json_t;

/* The answer, the caller's.  Who does not answer in 10 s, or cannot be read, ends the
 * program, with a sentence and exit status 1. */
struct json_t *ask(const char *dir, const struct ctl *m);
/* STATUS_ASK: what is "", "check", "ready". */
struct json_t *ask_status(const char *dir, const char *what);
/* STATUS_ASK of one that may end meanwhile: NULL, then, or when nobody is there. */
struct json_t *ask_again(const char *dir);

#endif
