/*
 * What a gateway tells whoever asks how it is: kennelctl, the administrator's
 * HTTP, the supervisor.  arg is the struct gateway.
 */
#ifndef GATEWAYD_REPORT_H
#define GATEWAYD_REPORT_H

#include <stddef.h>
#include <stdint.h>

struct check_result;
struct configuration_news;
struct control;
struct ctl;
struct status;

/* How things stand; borrows from the gateway. */
void	 report_look(struct status *st, void *arg);
/* A check is done: its answer.  A channel that cannot take it ends by itself. */
void	 report_checked(struct control *asker, uint64_t id,
	    const struct check_result *check, void *arg);
/* kennelctl asks m: 0, or -1 and the channel is to end. */
int	 report_ask(struct control *c, const struct ctl *m, void *arg);
/* Read the configuration again, for a signal or for kennelctl: as reload_run(). */
int	 report_reload(void *arg, struct configuration_news *news);
/* A visitor of the door has gone, perhaps one that asked. */
void	 report_gone(struct control *c, void *arg);
/* One line for the supervisor, terminated, into dst. */
void	 report_summary(char *dst, size_t size, void *arg);

#endif
