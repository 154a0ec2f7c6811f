/* What kennelctl says at its end. */
#ifndef GATEWAYD_CTL_SAY_H
#define GATEWAYD_CTL_SAY_H

struct json_t;

/* Exit statuses beside 0. */
#define EXIT_NONE	1		/* nobody answers; refused; not as it should be */
#define EXIT_USAGE	2
#define EXIT_NOTHING	3		/* nobody and nothing of that name */

void	 say_die(int status, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3), noreturn));
/* The answer for programs; it stays the caller's. */
void	 say_json(const struct json_t *answer);
/* All was written: 0, else it dies. */
int	 say_end(void);

#endif
