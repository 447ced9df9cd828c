import { none, scenario } from 'firedrill';

export default scenario('with nothing broken, nobody raises an alarm', { fault: none() });
