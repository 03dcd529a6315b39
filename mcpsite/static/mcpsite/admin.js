// htmx would add a <style> to the page and compile code from attributes; the Content-Security-Policy
// forbids the first, and nothing here needs the second.
htmx.config.includeIndicatorStyles = false;
htmx.config.allowEval = false;
