/* What a browser says of itself in User-Agent. */
#ifndef SHARDD_APE_AGENT_H
#define SHARDD_APE_AGENT_H

#include "common/bytes.h"

struct agent {
	struct slice	 browser, browser_version;
	struct slice	 engine;
	struct slice	 os, os_version;	/* version may have '_' for '.' */
	struct slice	 device_type, vendor, model;
};

/* Of a text, into which the slices point; unknown is empty. */
void	 agent_parse(struct agent *a, const char *text);

#endif
