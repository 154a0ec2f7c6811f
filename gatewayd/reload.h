/* Reading the configuration again: for HUP, and for kennelctl reload. */
#ifndef GATEWAYD_RELOAD_H
#define GATEWAYD_RELOAD_H

struct configuration_news;
struct roster;
struct settings;

/* 0, or -1: nothing has changed, and news->error says why.  Both are logged.  roster
 * may be NULL: there are no shards yet. */
int	 reload_run(struct settings *s, struct roster *roster,
	    struct configuration_news *news);

#endif
