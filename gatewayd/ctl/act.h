/* Verbs that have gatewayd do something, or tell of somebody; the exit status. */
#ifndef GATEWAYD_CTL_ACT_H
#define GATEWAYD_CTL_ACT_H

struct ctl;
struct invocation;
struct json_t;

/* Have it done: the answer, the caller's; a refusal ends the program, a line each
 * error. */
struct json_t *act_ask(const struct invocation *v, const struct ctl *m);

int	 act_cluster(const struct invocation *v);
int	 act_who(const struct invocation *v);
int	 act_close(const struct invocation *v);
int	 act_place(const struct invocation *v);
int	 act_reload(const struct invocation *v);
int	 act_log_level(const struct invocation *v);
int	 act_room(const struct invocation *v);

#endif
