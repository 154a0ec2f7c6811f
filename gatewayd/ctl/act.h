/* Verbs that have gatewayd do something, or tell of somebody; the exit status. */
#ifndef GATEWAYD_CTL_ACT_H
#define GATEWAYD_CTL_ACT_H

struct invocation;

int	 act_cluster(const struct invocation *v);
int	 act_who(const struct invocation *v);
int	 act_close(const struct invocation *v);
int	 act_place(const struct invocation *v);
int	 act_reload(const struct invocation *v);
int	 act_log_level(const struct invocation *v);
int	 act_room(const struct invocation *v);

#endif
