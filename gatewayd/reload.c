/* Reading the configuration again. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "gatewayd/configuration.h"
#include "gatewayd/reload.h"
#include "gatewayd/roster.h"
#include "gatewayd/settings.h"

/* Not taken: each error is a line of the log. */
static void
reload_refused(const struct settings *s, const char *error)
{
	const char	*hint = "", *line = error;
	size_t		 n;

	if (s->user != NULL && s->config != NULL &&
	    access(s->config, R_OK) == -1 && errno == EACCES)
		hint = "; restart to read it as root";
	do {
		n = strcspn(line, "\n");
		log_warn("configuration not changed: %.*s%s", (int)n, line,
		    hint);
		line += n;
	} while (*line++ == '\n');
}

int
reload_run(struct settings *s, struct roster *roster,
    struct configuration_news *news)
{
	if (configuration_reload(s, news) == -1) {
		reload_refused(s, news->error);
		return (-1);
	}
	log_level_set(s->log_level);
	if (roster != NULL)
		roster_tell_options(roster);
	if (news->left[0] != '\0')
		log_warn("changed, but counts after a restart: %s",
		    news->left);
	log_info("configuration read again, taken: %s", news->taken[0] == '\0' ?
	    "nothing has changed" : news->taken);
	return (0);
}
